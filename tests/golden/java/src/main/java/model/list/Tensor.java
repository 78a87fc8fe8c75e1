package model.list;

import java.lang.reflect.Array;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;

/**
 * Elements in row-major order, and their shape.
 *
 * @param values a primitive array or {@code String[]}; its length is the product of the shape
 * @param shape the size of each dimension
 */
record Tensor<A>(A values, long... shape) {
    Tensor {
        long elements = Arrays.stream(shape).reduce(1, Math::multiplyExact);
        if (Array.getLength(values) != elements) {
            throw new IllegalArgumentException(
                    "shape " + Arrays.toString(shape) + " asks for " + elements + " values, not "
                            + Array.getLength(values));
        }
    }

    int size() {
        return Array.getLength(values);
    }

    /** Elements per row: 1 for a vector. */
    int width() {
        return (int) Arrays.stream(shape).skip(1).reduce(1, Math::multiplyExact);
    }

    double number(int at) {
        return Array.getDouble(values, at);
    }

    long integer(int at) {
        return Array.getLong(values, at);
    }

    boolean bool(int at) {
        return values instanceof boolean[] booleans ? booleans[at] : integer(at) != 0;
    }

    String text(int at) {
        return (String) Array.get(values, at);
    }

    double[] numbers(int row) {
        double[] numbers = new double[width()];
        Arrays.setAll(numbers, i -> number(row * numbers.length + i));
        return numbers;
    }

    long[] integers(int row) {
        long[] integers = new long[width()];
        Arrays.setAll(integers, i -> integer(row * integers.length + i));
        return integers;
    }

    boolean[] booleans(int row) {
        return Arrays.copyOfRange((boolean[]) values, row * width(), (row + 1) * width());
    }

    String[] texts(int row) {
        return Arrays.copyOfRange((String[]) values, row * width(), (row + 1) * width());
    }

    <K> Map<K, Double> numbers(int row, List<K> names) {
        return named(row, names, this::number);
    }

    <K> Map<K, Long> integers(int row, List<K> names) {
        return named(row, names, this::integer);
    }

    private <K, V> Map<K, V> named(int row, List<K> names, IntFunction<V> value) {
        Map<K, V> named = new LinkedHashMap<>();
        for (int i = 0; i < names.size(); i++) {
            named.put(names.get(i), value.apply(row * names.size() + i));
        }
        return Collections.unmodifiableMap(named);
    }
}
