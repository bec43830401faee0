package example

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Color
import org.tensorflow.lite.Interpreter
import java.io.FileInputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import kotlin.math.exp
import kotlin.math.min

/** Names what is in bitmaps. HEIGHT, WIDTH, CROP and CLASSES are in Model.kt, which constants.py makes. */
class Classifier(context: Context, threads: Int = 4) : AutoCloseable {
    private val interpreter = Interpreter(
        context.assets.openFd("model.tflite").use { file ->
            FileInputStream(file.fileDescriptor).channel.map(FileChannel.MapMode.READ_ONLY, file.startOffset, file.declaredLength)
        },
        Interpreter.Options().setNumThreads(threads),
    )
    private val input = ByteBuffer.allocateDirect(HEIGHT * WIDTH * 3).order(ByteOrder.nativeOrder())
    private val output = arrayOf(FloatArray(CLASSES.size))

    /** Returns the five most probable classes with their probabilities. */
    fun classify(bitmap: Bitmap): List<Pair<String, Float>> {
        fill(fit(bitmap))
        interpreter.run(input, output)
        val odds = output[0].map { exp(it - output[0].max()) }
        return odds.indices.sortedByDescending { odds[it] }.take(5).map { CLASSES[it] to odds[it] / odds.sum() }
    }

    override fun close() = interpreter.close()

    /** Cuts out the centre, and resizes it to what the model takes. */
    private fun fit(bitmap: Bitmap): Bitmap {
        val scale = CROP * min(bitmap.height / HEIGHT.toDouble(), bitmap.width / WIDTH.toDouble())
        val width = (scale * WIDTH).toInt().coerceIn(1, bitmap.width)
        val height = (scale * HEIGHT).toInt().coerceIn(1, bitmap.height)
        val centre = Bitmap.createBitmap(bitmap, (bitmap.width - width) / 2, (bitmap.height - height) / 2, width, height)
        return Bitmap.createScaledBitmap(centre, WIDTH, HEIGHT, true)
    }

    /** Writes the pixels as they are, red, green, blue: the model normalizes them itself. */
    private fun fill(image: Bitmap) {
        val pixels = IntArray(HEIGHT * WIDTH)
        image.getPixels(pixels, 0, WIDTH, 0, 0, WIDTH, HEIGHT)
        input.rewind()
        for (pixel in pixels) {
            input.put(Color.red(pixel).toByte()).put(Color.green(pixel).toByte()).put(Color.blue(pixel).toByte())
        }
        input.rewind()
    }
}
