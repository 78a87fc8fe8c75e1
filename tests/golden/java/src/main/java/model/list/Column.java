package model.list;

import java.math.BigDecimal;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * One column of the model and its rule, from {@code columns.tsv}.
 *
 * @param input the graph's name of its input
 * @param offset its position in a row of that input
 * @param width the number of the input's columns; 0 for an input of one dimension
 * @param escaped whether its text is escaped, see {@link Text}
 * @param missing the text that stands for a missing cell
 * @param limit the largest accepted magnitude; NaN: no limit
 * @param least the smallest accepted number; NaN: no such bound
 * @param most the largest accepted number; NaN: no such bound
 * @param values the only accepted values; null: any
 */
record Column(
        String name,
        String input,
        int offset,
        int width,
        Type type,
        boolean escaped,
        boolean nullable,
        String missing,
        double limit,
        double least,
        double most,
        Set<Object> values) {
    /** Every column, in the model's order. */
    static final List<Column> ALL = Resource.table("columns.tsv").stream().map(Column::read).toList();

    private static final int SHOWN = 10;
    private static final Set<String> NAMES =
            ALL.stream().map(Column::name).collect(Collectors.toCollection(LinkedHashSet::new));
    private static final Map<String, Type> TYPES =
            ALL.stream().collect(Collectors.toMap(Column::input, Column::type, (first, second) -> first));

    private static Column read(List<String> fields) {
        Type type = Type.valueOf(fields.get(4));
        Set<Object> values = fields.get(11) == null ? null : new LinkedHashSet<>();
        for (int i = 12; i < fields.size(); i++) {
            values.add(value(type, fields.get(i)));
        }
        return new Column(
                fields.get(0),
                fields.get(1),
                Integer.parseInt(fields.get(2)),
                Integer.parseInt(fields.get(3)),
                type,
                fields.get(5).equals("escaped"),
                fields.get(6).equals("nullable"),
                fields.get(7),
                Double.parseDouble(fields.get(8)),
                Double.parseDouble(fields.get(9)),
                Double.parseDouble(fields.get(10)),
                values);
    }

    private static Object value(Type type, String field) {
        if (type == Type.STRING) {
            return field;
        } else if (type == Type.BOOL) {
            return Boolean.valueOf(field);
        }
        return type.isFloat() ? (Object) (Double.parseDouble(field) + 0.0) : (Object) Long.valueOf(field);
    }

    static Type type(String input) {
        return TYPES.get(input);
    }

    /** One value per column, from cells by the columns' names. */
    static Object[] cells(Map<String, ?> cells) {
        for (String name : cells.keySet()) {
            if (!NAMES.contains(name)) {
                throw new IllegalArgumentException(
                        "unknown column \"" + name + "\"; the model's columns are " + shown(NAMES));
            }
        }
        return ALL.stream().map(column -> column.cell(cells)).toArray();
    }

    private Object cell(Map<String, ?> cells) {
        Object cell = cells.get(name);
        if (cell == null && !cells.containsKey(name)) {
            throw new IllegalArgumentException(
                    "column \"" + name + "\" is not in the row; give it" + (nullable ? ", null where it is missing" : ""));
        }
        if (type == Type.STRING && (cell == null || cell instanceof String)) {
            return cell;
        } else if (type == Type.BOOL && cell instanceof Boolean) {
            return cell;
        } else if (type.isFloat() && (cell == null || cell instanceof Number)) {
            return cell == null ? Double.NaN : ((Number) cell).doubleValue();
        } else if (type.isInteger() && cell instanceof Number number) {
            return whole(number);
        }
        throw new IllegalArgumentException(
                "column \"" + name + "\" takes " + kind() + ", not "
                        + (cell == null ? "a missing cell" : cell + " (" + cell.getClass().getSimpleName() + ")"));
    }

    private Long whole(Number number) {
        try {
            return new BigDecimal(number.toString()).longValueExact();
        } catch (ArithmeticException | NumberFormatException e) {
            throw new IllegalArgumentException("column \"" + name + "\" takes whole numbers, not " + number, e);
        }
    }

    private String kind() {
        if (type == Type.STRING) {
            return "text";
        } else if (type == Type.BOOL) {
            return "true or false";
        }
        return type.isFloat() ? "a number" : "a whole number";
    }

    /** The checked number. */
    double number(double value, int at) {
        if (Double.isNaN(value)) {
            if (!nullable) {
                throw refusal(at, "is missing (NaN), and the model takes no missing number here: give a number");
            }
            return value;
        }
        if (Math.abs(value) > limit || Double.isInfinite(value) && !Double.isNaN(limit)) {
            throw refusal(
                    at, "is " + value + ", and the model takes magnitudes up to " + limit + ": give a smaller number");
        }
        within(value, at);
        if (values != null) {
            known(value + 0.0, at);
        }
        return value;
    }

    /** The checked whole number. */
    long integer(long value, int at) {
        boolean beyond = !Double.isNaN(limit)
                && !Double.isInfinite(limit)
                && BigDecimal.valueOf(value).abs().compareTo(new BigDecimal(limit)) > 0;
        if (beyond || value < type.smallest || value > type.largest) {
            throw refusal(at, "is " + value + ", and the model takes whole numbers from " + type.smallest + " to "
                    + type.largest + (beyond ? " and up to " + limit + " in magnitude" : "") + ": give one of these");
        }
        within(value, at);
        if (values != null) {
            known(value, at);
        }
        return value;
    }

    /** The checked boolean. */
    boolean bool(boolean value, int at) {
        if (values != null) {
            known(value, at);
        }
        return value;
    }

    /** The text for the model: checked, null replaced, escaped. */
    String text(String value, int at) {
        if (value == null && !nullable) {
            throw refusal(at, "is missing (null), and the model takes no missing text here: give a text");
        } else if (value == null) {
            return missing;
        } else if (!value.isEmpty() && value.equals(missing)) {
            String marks = missing.chars().mapToObj("U+%04X"::formatted).collect(Collectors.joining(" "));
            throw refusal(at, "is the text that stands for a missing cell (" + marks + "): use null for that");
        }
        if (values != null) {
            known(value, at);
        }
        try {
            return escaped ? Text.escape(value) : Text.plain(value);
        } catch (IllegalArgumentException e) {
            throw refusal(at, e.getMessage());
        }
    }

    private void within(double value, int at) {
        if (value < least) {
            throw refusal(at, "is " + value + ", and the model takes no number below " + least + ": give a larger one");
        }
        if (value > most) {
            throw refusal(at, "is " + value + ", and the model takes no number above " + most + ": give a smaller one");
        }
    }

    private void known(Object value, int at) {
        if (!values.contains(value)) {
            throw refusal(at, "is " + quoted(value) + ", and the model takes only " + shown(values));
        }
    }

    private IllegalArgumentException refusal(int at, String fault) {
        return new IllegalArgumentException(
                "row " + at + ", column \"" + name + "\" " + fault);
    }

    private static String quoted(Object value) {
        return value instanceof String ? "\"" + value + "\"" : value.toString();
    }

    private static String shown(Set<?> values) {
        String some = values.stream().limit(SHOWN).map(Column::quoted).collect(Collectors.joining(", "));
        return values.size() > SHOWN ? some + ", … (" + values.size() + " in all)" : some;
    }
}
