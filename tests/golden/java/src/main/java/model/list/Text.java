package model.list;

/**
 * Escapes text for ONNX Runtime and unescapes its answers.
 *
 * <p>ONNX Runtime's Java binding passes strings as modified UTF-8, which garbles U+0000 and every
 * character beyond U+FFFF, in both directions and without an error. Such characters, and U+E0FE itself, are
 * therefore escaped as U+E0FE and six hexadecimal digits; the model of this project has its own text in that form.
 */
final class Text {
    static final char MARK = (char) 0xE0FE;

    private static final int DIGITS = 6;

    private Text() {}

    /** The escaped text; a text that needs no escape is returned unchanged. */
    static String escape(String text) {
        if (!holdsGarbled(text) && text.indexOf(MARK) < 0) {
            return text;
        }
        StringBuilder escaped = new StringBuilder();
        text.codePoints().forEach(point -> append(escaped, point));
        return escaped.toString();
    }

    private static void append(StringBuilder escaped, int point) {
        if (Character.isBmpCodePoint(point) && Character.isSurrogate((char) point)) {
            throw new IllegalArgumentException("holds half of a surrogate pair, which is no character");
        }
        if (point == 0 || point == MARK || Character.isSupplementaryCodePoint(point)) {
            escaped.append(MARK).append(String.format("%06X", point));
        } else {
            escaped.append((char) point);
        }
    }

    /** The text that {@link #escape} was given. */
    static String unescape(String text) {
        if (text.indexOf(MARK) < 0) {
            return text;
        }
        StringBuilder plain = new StringBuilder();
        for (int at = 0; at < text.length(); at++) {
            if (text.charAt(at) == MARK) {
                plain.appendCodePoint(Integer.parseInt(text.substring(at + 1, at + 1 + DIGITS), 16));
                at += DIGITS;
            } else {
                plain.append(text.charAt(at));
            }
        }
        return plain.toString();
    }

    /** The text itself; refuses text that ONNX Runtime's Java binding would garble. */
    static String plain(String text) {
        if (holdsGarbled(text)) {
            throw new IllegalArgumentException(
                    "holds U+0000 or a character beyond U+FFFF (an emoji, say), which the Java binding of ONNX Runtime"
                            + " garbles, and the model looks inside this text: remove such characters first");
        }
        return text;
    }

    private static boolean holdsGarbled(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (text.charAt(i) == 0 || Character.isSurrogate(text.charAt(i))) {
                return true;
            }
        }
        return false;
    }
}
