package model.model;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtUtil;
import ai.onnxruntime.TensorInfo;
import ai.onnxruntime.platform.Fp16Conversions;
import ai.onnxruntime.providers.OrtCUDAProviderOptions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Consumer;

/** The model in ONNX Runtime: tensors in, tensors out. Safe for many threads at once. */
final class Graph implements AutoCloseable {
    private static final Set<String> OUTPUTS = Set.of("prediction");
    private static final Set<String> ESCAPED_OUTPUTS = Set.of();
    private static final boolean TEXT_IS_ESCAPED = false;

    /** A folder that does not exist, for external data; else ONNX Runtime would look in the working folder. */
    private static final String OTHER_FILES = "session.model_external_initializers_file_folder_path";
    private static final String NOWHERE = "/dev/null";

    private final OrtEnvironment environment;
    private final OrtSession session;
    private final ReadWriteLock lock = new ReentrantReadWriteLock();
    private boolean closed;

    private Graph(OrtEnvironment environment, OrtSession session) {
        this.environment = environment;
        this.session = session;
    }

    /** Opens the model inside the jar; {@code options} may be null: one thread per call. */
    static Graph open(OrtSession.SessionOptions options) {
        return open(Resource.bytes("model.onnx"), "the model in the jar", options);
    }

    static Graph open(Path model, OrtSession.SessionOptions options) {
        try {
            return open(Files.readAllBytes(model), model.toString(), options);
        } catch (IOException e) {
            throw new UncheckedIOException(
                    "cannot read the model file " + model + ": give the path of a model.onnx", e);
        }
    }

    private static Graph open(byte[] model, String name, OrtSession.SessionOptions options) {
        OrtEnvironment environment = OrtEnvironment.getEnvironment();
        try {
            environment.setTelemetry(false);
            Graph graph = new Graph(environment, session(environment, model, options));
            graph.check(name);
            return graph;
        } catch (OrtException e) {
            throw new IllegalArgumentException(
                    name + " is not a model that ONNX Runtime can load: " + e.getMessage()
                            + "; take model.onnx from this project again", e);
        }
    }

    private static OrtSession session(OrtEnvironment environment, byte[] model, OrtSession.SessionOptions options)
            throws OrtException {
        if (options != null) {
            options.addConfigEntry(OTHER_FILES, NOWHERE);
            return environment.createSession(model, options);
        }
        try (OrtSession.SessionOptions single = new OrtSession.SessionOptions()) {
            single.setIntraOpNumThreads(1);
            single.setInterOpNumThreads(1);
            single.addConfigEntry(OTHER_FILES, NOWHERE);
            useGpu(single);
            return environment.createSession(model, single);
        }
    }

    /** Adds CUDAExecutionProvider. Without it there is no model: ONNX Runtime would answer on the CPU otherwise. */
    private static void useGpu(OrtSession.SessionOptions options) {
        try (OrtCUDAProviderOptions gpu = new OrtCUDAProviderOptions(Integer.getInteger("model.model.device", 0))) {
            gpu.add("cudnn_conv_algo_search", "HEURISTIC");
            gpu.add("use_tf32", "0");
            options.addCUDA(gpu);
        } catch (OrtException | UnsatisfiedLinkError e) {
            throw new IllegalStateException(
                    "CUDAExecutionProvider cannot be used here: " + e.getMessage()
                            + "; it needs onnxruntime_gpu, CUDA, cuDNN and NVIDIA's driver", e);
        }
    }

    private void check(String name) throws OrtException {
        Map<String, OnnxJavaType> wanted = new TreeMap<>();
        Column.ALL.forEach(column -> wanted.put(column.input(), column.type().onnx));
        Map<String, OnnxJavaType> found = new TreeMap<>();
        for (NodeInfo input : session.getInputInfo().values()) {
            found.put(input.getName(), input.getInfo() instanceof TensorInfo info ? info.type : OnnxJavaType.UNKNOWN);
        }
        String fault = null;
        if (!found.equals(wanted)) {
            fault = "takes " + found + ", and this class gives " + wanted;
        } else if (!session.getOutputNames().containsAll(OUTPUTS)) {
            fault = "answers " + new TreeSet<>(session.getOutputNames())
                    + ", and this class reads " + new TreeSet<>(OUTPUTS);
        } else if (TEXT_IS_ESCAPED && session.getMetadata().getCustomMetadataValue("mlpack.java.text").isEmpty()) {
            fault = "holds text that the Java binding of ONNX Runtime garbles";
        }
        if (fault != null) {
            session.close();
            throw new IllegalArgumentException(name + " " + fault + "; take model.onnx from this project");
        }
    }

    Map<String, Tensor<?>> run(Map<String, Tensor<?>> inputs) {
        lock.readLock().lock();
        try {
            if (closed) {
                throw new IllegalStateException("the model is closed; open it again");
            }
            return answers(inputs);
        } finally {
            lock.readLock().unlock();
        }
    }

    private Map<String, Tensor<?>> answers(Map<String, Tensor<?>> inputs) {
        Map<String, OnnxTensor> feeds = new LinkedHashMap<>();
        try {
            for (Map.Entry<String, Tensor<?>> input : inputs.entrySet()) {
                feeds.put(input.getKey(), tensor(input.getKey(), input.getValue()));
            }
            try (OrtSession.Result result = session.run(feeds, OUTPUTS)) {
                Map<String, Tensor<?>> outputs = new LinkedHashMap<>();
                for (Map.Entry<String, OnnxValue> output : result) {
                    outputs.put(output.getKey(), tensor(output.getKey(), output.getValue()));
                }
                return outputs;
            }
        } catch (OrtException e) {
            throw new IllegalArgumentException("the model refuses this input: " + e.getMessage(), e);
        } finally {
            feeds.values().forEach(OnnxTensor::close);
        }
    }

    private OnnxTensor tensor(String name, Tensor<?> tensor) throws OrtException {
        long[] shape = tensor.shape();
        Object values = tensor.values();
        if (values instanceof String[] texts) {
            return OnnxTensor.createTensor(environment, texts, shape);
        } else if (values instanceof double[] doubles) {
            return OnnxTensor.createTensor(environment, DoubleBuffer.wrap(doubles), shape);
        } else if (values instanceof long[] longs) {
            return OnnxTensor.createTensor(environment, LongBuffer.wrap(longs), shape);
        } else if (values instanceof float[] floats) {
            Type type = Column.type(name);
            return type == Type.FLOAT32
                    ? OnnxTensor.createTensor(environment, FloatBuffer.wrap(floats), shape)
                    : OnnxTensor.createTensor(environment, halves(floats, type), shape, type.onnx);
        } else if (values instanceof int[] ints) {
            return Column.type(name) == Type.UINT8
                    ? OnnxTensor.createTensor(environment, bytes(tensor), shape, OnnxJavaType.UINT8)
                    : OnnxTensor.createTensor(environment, IntBuffer.wrap(ints), shape);
        } else if (values instanceof short[] shorts) {
            return OnnxTensor.createTensor(environment, ShortBuffer.wrap(shorts), shape);
        }
        return OnnxTensor.createTensor(environment, bytes(tensor), shape, Column.type(name).onnx);
    }

    private static ByteBuffer bytes(Tensor<?> tensor) {
        ByteBuffer bytes = ByteBuffer.allocateDirect(tensor.size()).order(ByteOrder.nativeOrder());
        boolean isBool = tensor.values() instanceof boolean[];
        for (int i = 0; i < tensor.size(); i++) {
            bytes.put((byte) (isBool ? (tensor.bool(i) ? 1 : 0) : tensor.integer(i)));
        }
        return bytes.rewind();
    }

    /** The numbers rounded to a type of two bytes. */
    private static ShortBuffer halves(float[] floats, Type type) {
        ShortBuffer halves =
                ByteBuffer.allocateDirect(2 * floats.length).order(ByteOrder.nativeOrder()).asShortBuffer();
        for (float value : floats) {
            halves.put(type == Type.FLOAT16 ? Fp16Conversions.floatToFp16(value) : Fp16Conversions.floatToBf16(value));
        }
        return halves.rewind();
    }

    private static Tensor<?> tensor(String name, OnnxValue value) throws OrtException {
        if (!(value instanceof OnnxTensor tensor)) {
            throw new IllegalStateException("output " + name + " is not a tensor");
        }
        TensorInfo info = tensor.getInfo();
        long[] shape = info.getShape();
        return new Tensor<>(info.getNumElements() == 0 ? empty(info.type) : values(name, tensor, info), shape);
    }

    private static Object empty(OnnxJavaType type) {
        for (Type known : Type.values()) {
            if (known.onnx == type) {
                return known.array(0);
            }
        }
        throw new IllegalStateException("ONNX Runtime for Java reads no " + type);
    }

    private static Object values(String name, OnnxTensor tensor, TensorInfo info) throws OrtException {
        int size = (int) info.getNumElements();
        return switch (info.type) {
            case FLOAT, FLOAT16, BFLOAT16 -> read(new float[size], tensor.getFloatBuffer()::get);
            case DOUBLE -> read(new double[size], tensor.getDoubleBuffer()::get);
            case INT64 -> read(new long[size], tensor.getLongBuffer()::get);
            case INT32 -> read(new int[size], tensor.getIntBuffer()::get);
            case INT16 -> read(new short[size], tensor.getShortBuffer()::get);
            case INT8 -> read(new byte[size], tensor.getByteBuffer()::get);
            case UINT8 -> unsigned(read(new byte[size], tensor.getByteBuffer()::get));
            case BOOL -> booleans(read(new byte[size], tensor.getByteBuffer()::get));
            case STRING -> texts(name, tensor.getValue());
            default -> throw new IllegalStateException("ONNX Runtime for Java cannot read output " + name);
        };
    }

    private static <A> A read(A array, Consumer<A> get) {
        get.accept(array);
        return array;
    }

    private static int[] unsigned(byte[] bytes) {
        int[] unsigned = new int[bytes.length];
        Arrays.setAll(unsigned, i -> Byte.toUnsignedInt(bytes[i]));
        return unsigned;
    }

    private static boolean[] booleans(byte[] bytes) {
        boolean[] booleans = new boolean[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            booleans[i] = bytes[i] != 0;
        }
        return booleans;
    }

    private static String[] texts(String name, Object value) {
        String[] texts = value instanceof String text ? new String[] {text} : OrtUtil.flattenString(value);
        if (ESCAPED_OUTPUTS.contains(name)) {
            Arrays.setAll(texts, i -> Text.unescape(texts[i]));
        }
        return texts;
    }

    /** Waits for running calls; closing again does nothing. */
    @Override
    public void close() {
        lock.writeLock().lock();
        try {
            if (!closed) {
                closed = true;
                session.close();
            }
        } catch (OrtException e) {
            throw new IllegalStateException("cannot close the model: " + e.getMessage(), e);
        } finally {
            lock.writeLock().unlock();
        }
    }
}
