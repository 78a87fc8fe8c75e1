package model.list;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
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
            ObjectMapper json = new ObjectMapper();
            return new GoldenCase(
                    name,
                    json.readTree(FOLDER.resolve(name + REQUEST).toFile()),
                    json.readTree(FOLDER.resolve(name + ".response.json").toFile()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
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
        } else if (datatype.startsWith("FP")) {
            return cell.isTextual() ? Double.valueOf(cell.textValue()) : (Object) cell.doubleValue();
        }
        return cell.canConvertToLong() ? (Object) cell.longValue() : cell.decimalValue();
    }
}
