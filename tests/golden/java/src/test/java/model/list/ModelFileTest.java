package model.list;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelFileTest {
    @TempDir
    Path folder;

    @Test
    void opensACopyOnDisk() throws IOException, OrtException {
        Path copy = Files.write(folder.resolve("model.onnx"), Resource.bytes("model.onnx"));
        ListModel.open(copy).close();
        try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
            options.setIntraOpNumThreads(2);
            ListModel.open(options).close();
        }
    }

    @Test
    void refusesAFileThatIsNoModel() throws IOException {
        byte[] model = Resource.bytes("model.onnx");
        refuses("this is no model".getBytes(StandardCharsets.UTF_8));
        refuses(Arrays.copyOf(model, model.length / 2));
        refuses(new byte[0]);
    }

    private void refuses(byte[] content) throws IOException {
        Path file = Files.write(folder.resolve("broken.onnx"), content);
        IllegalArgumentException refusal =
                assertThrows(IllegalArgumentException.class, () -> ListModel.open(file));
        assertTrue(refusal.getMessage().contains("broken.onnx"), refusal.getMessage());
    }

    @Test
    void refusesAPathWhereNothingIs() {
        Path missing = folder.resolve("missing.onnx");
        UncheckedIOException refusal = assertThrows(UncheckedIOException.class, () -> ListModel.open(missing));
        assertTrue(refusal.getMessage().contains("missing.onnx"), refusal.getMessage());
    }

    @Test
    void textTravelsThereAndBack() {
        String text = "é" + (char) 0xFFFF + "😀" + Text.MARK + "01F600" + (char) 0;
        assertEquals(text, Text.unescape(Text.escape(text)));
        assertTrue(Text.escape(text).chars().noneMatch(c -> c == 0 || Character.isSurrogate((char) c)));
        assertThrows(IllegalArgumentException.class, () -> Text.escape("😀".substring(1)));
        assertThrows(IllegalArgumentException.class, () -> Text.plain("😀"));
    }
}
