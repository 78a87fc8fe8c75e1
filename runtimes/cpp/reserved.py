"""Reserved words of C++, its headers and CMake."""

from __future__ import annotations

_KEYWORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t
class co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue
decltype default delete do double dynamic_cast else enum explicit export extern false float for friend
goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private
protected public register reinterpret_cast requires return short signed sizeof static static_assert
static_cast struct switch template this thread_local throw true try typedef typeid typename union
unsigned using virtual void volatile wchar_t while xor xor_eq
"""
KEYWORDS = frozenset(_KEYWORDS.split())
"""Keywords up to C++20, so that newer compilers accept the code."""

_MACROS = """
assert errno far i386 interface linux max min near small std stderr stdin stdout unix
"""
MACROS = frozenset(_MACROS.split())
"""Macros of compilers and common headers, and `std`."""

_TAKEN = """
abort abs accept access acct acos alarm all answers any asin atan atexit atof atoi atol bad_input bind
bsearch calloc cases cbrt ceil checks clean clock clone close columns connect copysign cos cosh creat
ctime daemon detail difftime div dlopen double dup edit_cache environ erf erfc exit exp expm1 fabs fdim
fgets fjoin floor fma fmod fork fputs fread free frexp fwrite gamma getenv gets golden help hypot index
install isnan j0 j1 jn kill labs ldexp ldiv lgamma library link listen llabs log logb lrint main malloc
mblen memcpy mktime mlpack_server modf nan nice open package pause perror pipe pow printf putenv puts
qsort raise rand random read realloc rebuild_cache recv remainder remove rename results rewind rindex rint round rows
rules scalb select send session setenv shutdown signal signgam sin sinh sleep socket sqrt srand stat std
stime strcmp strlen swab sync system tan tanh tensor tensors test tests text tgamma time times timezone
tmpnam trunc types uname ungetc unlink utime vfork wait write y0 y1 yn
"""
TAKEN = frozenset(_TAKEN.split())
"""Names of the C library, of this project and of CMake that a namespace or a target must not have."""

_CLASSES = """
Case Cell Column Columns Image InvalidInput LibraryError ModelError Options Place Result Row Rule Rules Session
Tensor TensorInfo Tensors Trait Trial Type Values
"""
CLASSES = frozenset(_CLASSES.split())
"""Names of this project's own classes."""
