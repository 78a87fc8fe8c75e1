# Finds ONNX Runtime: its headers are needed for the build, its library only at run time.
#
# ONNXRUNTIME_ROOT         a folder with include/ and lib/, such as an unpacked release (CMake or environment variable)
# ONNXRUNTIME_INCLUDE_DIR  the folder of onnxruntime_c_api.h (the same)
# ONNXRUNTIME_LIBRARY      the default path of the shared library; the environment variable takes precedence at run time

if(WIN32)
  message(FATAL_ERROR "This project loads ONNX Runtime with dlopen: it builds on Linux and macOS.")
endif()

# The cache of mlpack's own set-up (python -m mlpack_toolkit.packager.setup_headers), if there is one.
if(DEFINED ENV{XDG_CACHE_HOME})
  set(mlpack_cache "$ENV{XDG_CACHE_HOME}/mlpack/onnxruntime-headers")
else()
  set(mlpack_cache "$ENV{HOME}/.cache/mlpack/onnxruntime-headers")
endif()

if(NOT ONNXRUNTIME_INCLUDE_DIR)
  unset(ONNXRUNTIME_INCLUDE_DIR CACHE)
  find_path(ONNXRUNTIME_INCLUDE_DIR onnxruntime_c_api.h
    HINTS "$ENV{ONNXRUNTIME_INCLUDE_DIR}" "${ONNXRUNTIME_ROOT}" "$ENV{ONNXRUNTIME_ROOT}" "${mlpack_cache}"
    PATH_SUFFIXES include onnxruntime include/onnxruntime onnxruntime/core/session include/onnxruntime/core/session
    DOC "The folder of onnxruntime_c_api.h")
endif()
if(NOT ONNXRUNTIME_INCLUDE_DIR OR NOT EXISTS "${ONNXRUNTIME_INCLUDE_DIR}/onnxruntime_c_api.h")
  message(FATAL_ERROR
    "ONNX Runtime's header onnxruntime_c_api.h was not found (ONNXRUNTIME_INCLUDE_DIR: ${ONNXRUNTIME_INCLUDE_DIR}).\n"
    "Use one of these to get it:\n"
    "  apt-get install libonnxruntime-dev      (Debian 13 and later)\n"
    "  python -m mlpack_toolkit.packager.setup_headers        (where mlpack is installed)\n"
    "  unpack a release of ONNX Runtime >= 1.28 and configure with -DONNXRUNTIME_ROOT=FOLDER")
endif()

if(NOT ONNXRUNTIME_LIBRARY)
  unset(ONNXRUNTIME_LIBRARY CACHE)
  find_library(ONNXRUNTIME_LIBRARY onnxruntime
    HINTS "${ONNXRUNTIME_ROOT}" "$ENV{ONNXRUNTIME_ROOT}" "${mlpack_cache}" PATH_SUFFIXES lib
    DOC "ONNX Runtime's shared library, the default at run time")
endif()
if(NOT ONNXRUNTIME_LIBRARY)
  set(ONNXRUNTIME_LIBRARY "" CACHE FILEPATH "ONNX Runtime's shared library, the default at run time" FORCE)
endif()
