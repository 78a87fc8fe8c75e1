package model.list;

import ai.onnxruntime.OnnxJavaType;

/** The element types of the graph's inputs, with the range of the integers. */
enum Type {
    FLOAT16(OnnxJavaType.FLOAT16),
    BFLOAT16(OnnxJavaType.BFLOAT16),
    FLOAT32(OnnxJavaType.FLOAT),
    FLOAT64(OnnxJavaType.DOUBLE),
    INT8(OnnxJavaType.INT8, Byte.MIN_VALUE, Byte.MAX_VALUE),
    UINT8(OnnxJavaType.UINT8, 0, 255),
    INT16(OnnxJavaType.INT16, Short.MIN_VALUE, Short.MAX_VALUE),
    INT32(OnnxJavaType.INT32, Integer.MIN_VALUE, Integer.MAX_VALUE),
    INT64(OnnxJavaType.INT64, Long.MIN_VALUE, Long.MAX_VALUE),
    BOOL(OnnxJavaType.BOOL),
    STRING(OnnxJavaType.STRING);

    final OnnxJavaType onnx;
    final long smallest;
    final long largest;

    Type(OnnxJavaType onnx) {
        this(onnx, 0, 0);
    }

    Type(OnnxJavaType onnx, long smallest, long largest) {
        this.onnx = onnx;
        this.smallest = smallest;
        this.largest = largest;
    }

    boolean isFloat() {
        return this == FLOAT16 || this == BFLOAT16 || this == FLOAT32 || this == FLOAT64;
    }

    boolean isInteger() {
        return smallest != largest;
    }

    /** A primitive array (or {@code String[]}) of so many elements. */
    Object array(int length) {
        return switch (this) {
            case FLOAT16, BFLOAT16, FLOAT32 -> new float[length];
            case FLOAT64 -> new double[length];
            case INT8 -> new byte[length];
            case INT16 -> new short[length];
            case UINT8, INT32 -> new int[length];
            case INT64 -> new long[length];
            case BOOL -> new boolean[length];
            case STRING -> new String[length];
        };
    }
}
