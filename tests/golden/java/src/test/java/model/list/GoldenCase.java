package model.list;

import ai.onnxruntime.platform.Fp16Conversions;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/** A request and the original model's answer, from {@code src/test/resources/golden}. */
record GoldenCase(String name, JsonNode request, JsonNode response) {
    static final Path PROJECT = Path.of(System.getProperty("basedir", "")).toAbsolutePath();
    static final Path FOLDER = PROJECT.resolve("src/test/resources/golden");

    private static final String REQUEST = ".request.json";

    static List<GoldenCase> all() {
        try (Stream<Path> files = Files.list(FOLDER)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(REQUEST))
                    .sorted()
                    .map(name -> read(name.substring(0, name.length() - REQUEST.length())))
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static GoldenCase read(String name) {
        try {
            return new GoldenCase(name, read(name + ".request", "inputs"), read(name + ".response", "outputs"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A JSON file, with the data of tensors that lie as raw numbers in a file beside it. */
    private static JsonNode read(String stem, String tensors) throws IOException {
        JsonNode half = new ObjectMapper().readTree(FOLDER.resolve(stem + ".json").toFile());
        Path beside = FOLDER.resolve(stem + ".bin");
        if (Files.exists(beside)) {
            ByteBuffer raw = ByteBuffer.wrap(Files.readAllBytes(beside)).order(ByteOrder.LITTLE_ENDIAN);
            for (JsonNode tensor : half.get(tensors)) {
                if (tensor.path("parameters").has("binary_data_size")) {
                    int size = tensor.get("parameters").get("binary_data_size").intValue();
                    ByteBuffer own = raw.slice(raw.position(), size).order(ByteOrder.LITTLE_ENDIAN);
                    raw.position(raw.position() + size);
                    ArrayNode data = ((ObjectNode) tensor).putArray("data");
                    while (own.hasRemaining()) {
                        add(data, tensor.get("datatype").textValue(), own);
                    }
                }
            }
        }
        return half;
    }

    private static void add(ArrayNode data, String datatype, ByteBuffer raw) {
        switch (datatype) {
            case "FP64" -> data.add(raw.getDouble());
            case "FP32" -> data.add((double) raw.getFloat());
            case "FP16" -> data.add((double) Fp16Conversions.fp16ToFloat(raw.getShort()));
            case "BF16" -> data.add((double) Fp16Conversions.bf16ToFloat(raw.getShort()));
            case "INT64" -> data.add(raw.getLong());
            case "INT32" -> data.add((long) raw.getInt());
            case "INT16" -> data.add((long) raw.getShort());
            case "INT8" -> data.add((long) raw.get());
            case "UINT8" -> data.add((long) Byte.toUnsignedInt(raw.get()));
            case "BOOL" -> data.add(raw.get() != 0);
            default -> throw new IllegalStateException("raw numbers of the datatype " + datatype);
        }
    }

    /** Whether the model must refuse the request. */
    boolean isRefused() {
        return response.has("error") || holdsTextThatCannotTravel();
    }

    /** Whether an input that the model looks inside has text that Java cannot pass to ONNX Runtime. */
    private boolean holdsTextThatCannotTravel() {
        for (Column column : Column.ALL) {
            JsonNode input = inputs().get(column.input());
            if (column.type() == Type.STRING && !column.escaped() && input != null) {
                for (JsonNode cell : input.get("data")) {
                    if (cell.isTextual()
                            && cell.textValue().chars().anyMatch(c -> c == 0 || Character.isSurrogate((char) c))) {
                        return true;
                    }
                }
            }
        }
        return false;
    }

    /** The request's inputs by this project's names. */
    Map<String, JsonNode> inputs() {
        Map<String, JsonNode> inputs = new TreeMap<>();
        request.get("inputs").forEach(input -> inputs.put(inGraph(input.get("name").textValue()), input));
        return inputs;
    }

    private static String inGraph(String name) {
        return Text.escape(name);
    }

    static long[] shape(JsonNode tensor) {
        long[] shape = new long[tensor.get("shape").size()];
        for (int i = 0; i < shape.length; i++) {
            shape[i] = tensor.get("shape").get(i).longValue();
        }
        return shape;
    }

    /** One cell as a String, Boolean, Long or Double; null where it is missing. */
    static Object cell(JsonNode tensor, int at) {
        JsonNode cell = tensor.get("data").get(at);
        String datatype = tensor.get("datatype").textValue();
        if (cell.isNull()) {
            return null;
        } else if (datatype.equals("BYTES")) {
            return cell.textValue();
        } else if (datatype.equals("BOOL")) {
            return cell.booleanValue();
        } else if (datatype.startsWith("FP") || datatype.equals("BF16")) {
            return cell.isTextual() ? Double.valueOf(cell.textValue()) : (Object) cell.doubleValue();
        }
        return cell.canConvertToLong() ? (Object) cell.longValue() : cell.decimalValue();
    }
}
