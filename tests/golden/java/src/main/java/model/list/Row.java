package model.list;

import java.util.Map;

/**
 * One row of the model's input.
 *
 * @param aB <code>a-b</code>: a number, NaN where it is missing
 * @param aB2 <code>a b</code>: a number, of a magnitude up to 10, not below -9.5, not above 2.0
 * @param getClassValue <code>getClass</code>: a number, one of 0.0, 1.0
 */
public record Row(
        double aB,
        double aB2,
        double getClassValue) {

    /**
     * Makes a row from cells by the columns' own names; null is a missing cell.
     *
     * @throws IllegalArgumentException for an unknown or absent column, or a cell of the wrong type
     */
    public static Row of(Map<String, ?> cells) {
        Object[] values = Column.cells(cells);
        return new Row(
                (Double) values[0],
                (Double) values[1],
                (Double) values[2]);
    }

    void into(Feed feed, int row) {
        feed.number(row, 0, this.aB);
        feed.number(row, 1, this.aB2);
        feed.number(row, 2, this.getClassValue);
    }
}
