package model.list;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** This class gives every answer of the original model. */
class GoldenTest {
    private static final int ONE_BY_ONE = 20;

    @Test
    void thereAreGoldenCases() {
        assertFalse(GoldenCase.all().isEmpty(), "no golden case in " + GoldenCase.FOLDER);
    }

    @TestFactory
    Stream<DynamicTest> answersAsTheOriginalDid() {
        return GoldenCase.all().stream().map(golden -> DynamicTest.dynamicTest(golden.name(), () -> replay(golden)));
    }

    private static void replay(GoldenCase golden) {
        try (ListModel model = ListModel.open()) {
            if (golden.isRefused()) {
                IllegalArgumentException refusal =
                        assertThrows(IllegalArgumentException.class, () -> Replay.answers(model, golden));
                assertNotNull(refusal.getMessage());
                return;
            }
            compare(golden, Replay.answers(model, golden), 0, 1);
            int rows = Math.min(ONE_BY_ONE, Replay.rows(golden));
            for (int row = 0; row < rows; row++) {
                compare(golden, Replay.answersForRow(model, golden, row), row, Replay.rows(golden));
            }
        }
    }

    /** Compares the answers with one of so many parts of the response. */
    private static void compare(GoldenCase golden, Map<String, List<Object>> answers, int part, int parts) {
        assertEquals(answers.size(), golden.response().get("outputs").size(), "number of outputs");
        for (JsonNode wanted : golden.response().get("outputs")) {
            String name = wanted.get("name").textValue();
            List<Object> got = answers.get(name);
            assertNotNull(got, "no output " + name);
            int size = wanted.get("data").size() / parts;
            assertEquals(size, got.size(), "values of " + name);
            for (int i = 0; i < size; i++) {
                int at = part * size + i;
                assertTrue(
                        isEqual(wanted, GoldenCase.cell(wanted, at), got.get(i)),
                        golden.name() + ", " + name + "[" + at + "]: wanted " + wanted.get("data").get(at) + ", got " + got.get(i));
            }
        }
    }

    private static boolean isEqual(JsonNode output, Object wanted, Object got) {
        if (wanted instanceof Double want && got instanceof Double answer) {
            double allowed = tolerance(output, "atol") + tolerance(output, "rtol") * Math.abs(want);
            return want.equals(answer)
                    || want.doubleValue() == answer.doubleValue()
                    || !Double.isInfinite(want) && Math.abs(answer - want) <= allowed;
        }
        return wanted != null && wanted.equals(got);
    }

    private static double tolerance(JsonNode output, String name) {
        return output.path("parameters").path(name).asDouble(0);
    }
}
