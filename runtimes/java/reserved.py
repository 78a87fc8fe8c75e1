"""Names of classes that a project's own enum must not have."""

from __future__ import annotations

from .names import CLASSES

_LANG = """
AbstractMethodError Appendable ArithmeticException ArrayIndexOutOfBoundsException ArrayStoreException
AssertionError AutoCloseable Boolean BootstrapMethodError Byte CharSequence Character Class ClassCastException
ClassCircularityError ClassFormatError ClassLoader ClassNotFoundException ClassValue CloneNotSupportedException
Cloneable Comparable Compiler Deprecated Double Enum EnumConstantNotPresentException Error Exception
ExceptionInInitializerError Float FunctionalInterface IO IllegalAccessError IllegalAccessException
IllegalArgumentException IllegalCallerException IllegalMonitorStateException IllegalStateException
IllegalThreadStateException IncompatibleClassChangeError IndexOutOfBoundsException InheritableThreadLocal
InstantiationError InstantiationException Integer InternalError InterruptedException Iterable
LayerInstantiationException LinkageError Long MatchException Math Module ModuleLayer NegativeArraySizeException
NoClassDefFoundError NoSuchFieldError NoSuchFieldException NoSuchMethodError NoSuchMethodException
NullPointerException Number NumberFormatException Object OutOfMemoryError Override Package Process ProcessBuilder
ProcessHandle Readable Record ReflectiveOperationException Runnable Runtime RuntimeException RuntimePermission
SafeVarargs ScopedValue SecurityException SecurityManager Short StackOverflowError StackTraceElement StackWalker
StrictMath String StringBuffer StringBuilder StringIndexOutOfBoundsException StringTemplate SuppressWarnings System
Thread ThreadDeath ThreadGroup ThreadLocal Throwable TypeNotPresentException UnknownError UnsatisfiedLinkError
UnsupportedClassVersionError UnsupportedOperationException VerifyError VirtualMachineError Void
WrongThreadException
"""
_IMPORTED = """
AfterEach Array ArrayList Arrays BeforeEach BigDecimal ByteBuffer ByteOrder Collections Collectors Consumer
DoubleBuffer DynamicTest Executable ExecutorService Executors Files FloatBuffer Fp16Conversions Function Future
HashMap IOException InputStream IntBuffer IntFunction JsonNode LinkedHashMap LinkedHashSet List LongBuffer Map NodeInfo
ObjectMapper OnnxJavaType OnnxTensor OnnxValue Optional OrtEnvironment OrtException OrtSession OrtUtil Path
ReadWriteLock ReentrantReadWriteLock Set ShortBuffer StandardCharsets Stream TempDir TensorInfo Test TestFactory
TreeMap TreeSet UncheckedIOException
"""
TAKEN = CLASSES | frozenset(_LANG.split()) | frozenset(_IMPORTED.split())
"""The project's own classes, those of `java.lang` up to Java 25, and the project's imports."""
