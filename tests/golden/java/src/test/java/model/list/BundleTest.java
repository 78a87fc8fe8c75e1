package model.list;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Inside its bundle, this project has the bundle's own golden cases and model. */
class BundleTest {
    private static final Path BUNDLE = GoldenCase.PROJECT.resolve("../..").normalize();

    @BeforeEach
    void runsInsideABundleOnly() {
        assumeTrue(Files.exists(BUNDLE.resolve("manifest.json")), "not inside a bundle");
    }

    @Test
    void holdsTheGoldenCasesOfTheBundle() throws IOException {
        assertEquals(names(BUNDLE.resolve("golden")), names(GoldenCase.FOLDER), "golden cases");
        for (String name : names(GoldenCase.FOLDER)) {
            assertArrayEquals(
                    Files.readAllBytes(BUNDLE.resolve("golden").resolve(name)),
                    Files.readAllBytes(GoldenCase.FOLDER.resolve(name)),
                    name);
        }
    }

    @Test
    void holdsTheModelOfTheBundle() throws IOException {
        byte[] model = Files.readAllBytes(BUNDLE.resolve("model/model.onnx"));
        assertArrayEquals(model, Resource.bytes("model.onnx"), "model.onnx");
    }

    private static List<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }
}
