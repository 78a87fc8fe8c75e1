package model.list;

import java.util.LinkedHashMap;
import java.util.Map;

/** Converts rows to the graph's inputs, and checks every cell against its column. */
final class Feed {
    private final int rows;
    private final Map<String, Object> arrays = new LinkedHashMap<>();
    private final Object[] arrayOfColumn = new Object[Column.ALL.size()];

    Feed(int rows) {
        this.rows = rows;
        for (int i = 0; i < arrayOfColumn.length; i++) {
            Column column = Column.ALL.get(i);
            int size = Math.multiplyExact(rows, Math.max(1, column.width()));
            arrayOfColumn[i] = arrays.computeIfAbsent(column.input(), input -> column.type().array(size));
        }
    }

    private static int place(Column column, int row) {
        return row * Math.max(1, column.width()) + column.offset();
    }

    void number(int row, int index, double value) {
        Column column = Column.ALL.get(index);
        double checked = column.number(value, row);
        if (arrayOfColumn[index] instanceof double[] doubles) {
            doubles[place(column, row)] = checked;
        } else {
            ((float[]) arrayOfColumn[index])[place(column, row)] = (float) checked;
        }
    }

    void integer(int row, int index, long value) {
        Column column = Column.ALL.get(index);
        long checked = column.integer(value, row);
        int place = place(column, row);
        switch (column.type()) {
            case INT8 -> ((byte[]) arrayOfColumn[index])[place] = (byte) checked;
            case INT16 -> ((short[]) arrayOfColumn[index])[place] = (short) checked;
            case INT64 -> ((long[]) arrayOfColumn[index])[place] = checked;
            default -> ((int[]) arrayOfColumn[index])[place] = (int) checked;
        }
    }

    void bool(int row, int index, boolean value) {
        Column column = Column.ALL.get(index);
        ((boolean[]) arrayOfColumn[index])[place(column, row)] = column.bool(value, row);
    }

    void text(int row, int index, String value) {
        Column column = Column.ALL.get(index);
        ((String[]) arrayOfColumn[index])[place(column, row)] = column.text(value, row);
    }

    Map<String, Tensor<?>> tensors() {
        Map<String, Tensor<?>> tensors = new LinkedHashMap<>();
        for (Column column : Column.ALL) {
            long[] shape = column.width() == 0 ? new long[] {rows} : new long[] {rows, column.width()};
            tensors.computeIfAbsent(column.input(), input -> new Tensor<>(arrays.get(input), shape));
        }
        return tensors;
    }
}
