package model.list;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The files beside this class in the jar. */
final class Resource {
    private Resource() {}

    /** The bytes of the file. */
    static byte[] bytes(String name) {
        try (InputStream file = Resource.class.getResourceAsStream(name)) {
            if (file == null) {
                throw new IllegalStateException(name + " is not in the jar; build the project again");
            }
            return file.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + name + " from the jar", e);
        }
    }

    /** The lines of a file of tab-separated fields; a field {@code \-} is null. */
    static List<List<String>> table(String name) {
        List<List<String>> lines = new ArrayList<>();
        for (String line : new String(bytes(name), StandardCharsets.UTF_8).split("\n")) {
            if (!line.isEmpty()) {
                lines.add(Arrays.stream(line.split("\t", -1)).map(Resource::field).toList());
            }
        }
        return lines;
    }

    private static String field(String field) {
        if (field.equals("\\-")) {
            return null;
        }
        StringBuilder plain = new StringBuilder();
        for (int at = 0; at < field.length(); at++) {
            char c = field.charAt(at);
            plain.append(c == '\\' ? control(field.charAt(++at)) : c);
        }
        return plain.toString();
    }

    private static char control(char letter) {
        return switch (letter) {
            case 't' -> '\t';
            case 'n' -> '\n';
            case 'r' -> '\r';
            default -> letter;
        };
    }
}
