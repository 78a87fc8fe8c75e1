package model.list;

import ai.onnxruntime.OrtSession;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;

/**
 * The model List, version 1.2.0.
 *
 * <p>Safe for many threads at once: open it once, share it, and close it at the end.
 */
public final class ListModel implements AutoCloseable {
    private final Graph graph;

    private ListModel(Graph graph) {
        this.graph = graph;
    }

    /** Opens the model inside the jar, with one thread per call. */
    public static ListModel open() {
        return new ListModel(Graph.open(null));
    }

    /** Opens the model inside the jar with your own options (threads, GPU); you close the options. */
    public static ListModel open(OrtSession.SessionOptions options) {
        return new ListModel(Graph.open(options));
    }

    /**
     * Opens a copy of this project's {@code model.onnx} on disk, with one thread per call.
     *
     * @throws IllegalArgumentException when the file is another model
     * @throws java.io.UncheckedIOException when the file cannot be read
     */
    public static ListModel open(Path model) {
        return open(model, null);
    }

    /** Opens a copy of this project's {@code model.onnx} on disk with your own options; you close the options. */
    public static ListModel open(Path model, OrtSession.SessionOptions options) {
        return new ListModel(Graph.open(model, options));
    }

    /**
     * The model's answer for one row.
     *
     * @throws IllegalArgumentException when the model refuses a cell; names the column and what to do
     */
    public Prediction predict(Row row) {
        return predict(Collections.singletonList(row)).get(0);
    }

    /**
     * The model's answers, one per row and in the same order; none for no rows.
     *
     * @throws IllegalArgumentException when the model refuses a cell; names the row (from 0) and the column
     */
    public List<Prediction> predict(List<Row> rows) {
        if (rows.isEmpty()) {
            return List.of();
        }
        Feed feed = new Feed(rows.size());
        int number = 0;
        for (Row row : rows) {
            if (row == null) {
                throw new IllegalArgumentException("row " + number + " is null: leave it out");
            }
            row.into(feed, number++);
        }
        return Prediction.of(graph.run(feed.tensors()), rows.size());
    }

    /** Waits for running calls; closing again does nothing. */
    @Override
    public void close() {
        graph.close();
    }
}
