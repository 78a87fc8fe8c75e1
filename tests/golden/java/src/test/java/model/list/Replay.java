package model.list;

import java.lang.reflect.Array;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Golden cases as rows, and predictions as flat lists by output. */
final class Replay {
    private Replay() {}

    static int rows(GoldenCase golden) {
        return (int) GoldenCase.shape(golden.inputs().values().iterator().next())[0];
    }

    /** The cells of one row by the columns' names, without unnamed columns. */
    static Map<String, Object> cells(GoldenCase golden, int row) {
        Map<String, List<Column>> columnsByInput = Column.ALL.stream().collect(Collectors.groupingBy(Column::input));
        Map<String, Object> cells = new LinkedHashMap<>();
        golden.inputs().forEach((name, input) -> {
            List<Column> columns = columnsByInput.getOrDefault(name, List.of());
            int width = input.get("data").size() / rows(golden);
            for (int i = 0; i < width; i++) {
                String column = i < columns.size() ? columns.get(i).name() : name + "[" + i + "]";
                cells.put(column, GoldenCase.cell(input, row * width + i));
            }
        });
        return cells;
    }

    static Map<String, List<Object>> answers(ListModel model, GoldenCase golden) {
        List<Row> rows = new ArrayList<>();
        for (int row = 0; row < rows(golden); row++) {
            rows.add(Row.of(cells(golden, row)));
        }
        return flat(model.predict(rows));
    }

    static Map<String, List<Object>> answersForRow(ListModel model, GoldenCase golden, int row) {
        return flat(List.of(model.predict(Row.of(cells(golden, row)))));
    }

    /** The values of each output, in row-major order. */
    static Map<String, List<Object>> flat(List<Prediction> predictions) {
        Map<String, List<Object>> flat = new LinkedHashMap<>();
        flat.put("prediction", new ArrayList<>());
        for (Prediction prediction : predictions) {
            add(flat.get("prediction"), prediction.prediction());
        }
        return flat;
    }

    private static void add(List<Object> flat, Object value) {
        if (value instanceof Map<?, ?> named) {
            flat.addAll(named.values());
        } else if (value.getClass().isArray()) {
            for (int i = 0; i < Array.getLength(value); i++) {
                flat.add(Array.get(value, i));
            }
        } else {
            flat.add(value);
        }
    }
}
