package model.list;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Tests the class with bad input, with no input, and from many threads. */
class RowTest {
    private static final int THREADS = 8;
    private static final int REPEATS = 25;

    private static final Optional<GoldenCase> ANSWERED = GoldenCase.all().stream()
            .filter(some -> !some.isRefused() && Replay.rows(some) > 0)
            .findFirst();
    private static final Map<String, Object> CELLS =
            ANSWERED.map(golden -> Replay.cells(golden, 0)).orElse(Map.of());

    private final ListModel model = ListModel.open();

    @AfterEach
    void close() {
        model.close();
    }

    private static GoldenCase answered() {
        assumeTrue(ANSWERED.isPresent(), "no golden case with a row");
        return ANSWERED.get();
    }

    /** The first golden row with one cell changed. */
    private static Map<String, Object> with(String column, Object value) {
        answered();
        Map<String, Object> cells = new HashMap<>(CELLS);
        cells.put(column, value);
        return cells;
    }

    private static void refused(String named, Executable call) {
        IllegalArgumentException refusal = assertThrows(IllegalArgumentException.class, call);
        assertTrue(refusal.getMessage().contains(named), refusal.getMessage());
    }

    private void refusesCell(Column column, Object value) {
        refused(column.name(), () -> model.predict(Row.of(with(column.name(), value))));
    }

    @Test
    void answersNoRowsWithNone() {
        assertEquals(List.of(), model.predict(List.of()));
    }

    @Test
    void refusesARowThatIsNull() {
        refused("row 0", () -> model.predict(Collections.singletonList(null)));
    }

    @Test
    void refusesAnUnknownColumn() {
        refused("no such column", () -> Row.of(with("no such column", 1)));
    }

    @Test
    void refusesARowThatLacksAColumn() {
        for (Column column : Column.ALL) {
            Map<String, Object> cells = with(column.name(), null);
            cells.remove(column.name());
            refused(column.name(), () -> Row.of(cells));
        }
    }

    @Test
    void refusesAMissingCellWhereTheModelTakesNone() {
        for (Column column : Column.ALL) {
            if (!column.nullable()) {
                refusesCell(column, null);
            }
        }
    }

    @Test
    void refusesACellOfTheWrongType() {
        for (Column column : Column.ALL) {
            refusesCell(column, new Object());
            refusesCell(column, column.type() == Type.STRING ? 1 : "text");
        }
    }

    @Test
    void refusesNumbersBeyondTheLimit() {
        for (Column column : Column.ALL) {
            if (!Double.isNaN(column.limit()) && column.type().isFloat()) {
                refusesCell(column, Double.POSITIVE_INFINITY);
                refusesCell(column, -Math.nextUp(column.limit()));
            }
        }
    }

    @Test
    void refusesNumbersOutsideTheBounds() {
        for (Column column : Column.ALL) {
            if (!Double.isNaN(column.least()) && column.type().isFloat()) {
                refusesCell(column, Math.nextDown(column.least()));
            }
            if (!Double.isNaN(column.most()) && column.type().isFloat()) {
                refusesCell(column, Math.nextUp(column.most()));
            }
        }
    }

    @Test
    void refusesValuesThatTheModelDoesNotKnow() {
        for (Column column : Column.ALL) {
            if (column.values() != null && column.type() != Type.BOOL) {
                refusesCell(column, column.type() == Type.STRING ? "no such value" : (Object) unknownNumber(column));
            }
        }
    }

    private static Long unknownNumber(Column column) {
        long number = 0;
        while (column.values().contains(number) || column.values().contains((double) number)) {
            number++;
        }
        return number;
    }

    @Test
    void refusesTheMarkOfAMissingCellAsText() {
        for (Column column : Column.ALL) {
            if (column.missing() != null && !column.missing().isEmpty()) {
                refusesCell(column, column.missing());
            }
        }
    }

    @Test
    void refusesToAnswerWhenClosed() {
        Row row = Row.of(Replay.cells(answered(), 0));
        model.close();
        assertThrows(IllegalStateException.class, () -> model.predict(row));
    }

    @Test
    void answersManyThreadsAlike() throws Exception {
        GoldenCase golden = answered();
        Map<String, List<Object>> alone = Replay.answers(model, golden);
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        try {
            List<Future<Map<String, List<Object>>>> answers = new ArrayList<>();
            for (int i = 0; i < THREADS * REPEATS; i++) {
                answers.add(threads.submit(() -> Replay.answers(model, golden)));
            }
            for (Future<Map<String, List<Object>>> answer : answers) {
                assertEquals(alone, answer.get());
            }
        } finally {
            threads.shutdownNow();
        }
    }
}
