package model.list;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * The model's answer for one row.
 *
 * @param prediction <code>prediction</code>: a number
 */
public record Prediction(
        double prediction) {

    static List<Prediction> of(Map<String, Tensor<?>> outputs, int rows) {
        outputs.forEach((name, tensor) -> {
            if (tensor.shape().length == 0 || tensor.shape()[0] != rows) {
                throw new IllegalStateException("output " + name + " has the shape " + Arrays.toString(tensor.shape())
                        + " for " + rows + " rows; take model.onnx from this project");
            }
        });
        Tensor<?> prediction = outputs.get("prediction");
        List<Prediction> predictions = new ArrayList<>(rows);
        for (int row = 0; row < rows; row++) {
            predictions.add(new Prediction(
                    prediction.number(row)));
        }
        return predictions;
    }
}
