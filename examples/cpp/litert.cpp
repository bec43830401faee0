// Names what is in images, with LiteRT's C API: classify_litert MODEL.tflite IMAGE.ppm...
#include <tensorflow/lite/c/c_api.h>

#include <memory>

#include "classify.hpp"

static void check(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string("LiteRT cannot ") + what);
}

int main(int count, char** words) {
  return classify(count, words, [](const std::string& path) -> Run {
    std::shared_ptr<TfLiteModel> model(TfLiteModelCreateFromFile(path.c_str()), TfLiteModelDelete);
    check(model != nullptr, "read the model");
    std::unique_ptr<TfLiteInterpreterOptions, decltype(&TfLiteInterpreterOptionsDelete)> options(
        TfLiteInterpreterOptionsCreate(), TfLiteInterpreterOptionsDelete);
    TfLiteInterpreterOptionsSetNumThreads(options.get(), 1);
    std::shared_ptr<TfLiteInterpreter> interpreter(TfLiteInterpreterCreate(model.get(), options.get()),
                                                   TfLiteInterpreterDelete);
    check(interpreter && TfLiteInterpreterAllocateTensors(interpreter.get()) == kTfLiteOk, "load the model");
    return [model, interpreter](Pixels& pixels) {
      TfLiteTensor* input = TfLiteInterpreterGetInputTensor(interpreter.get(), 0);
      check(TfLiteTensorCopyFromBuffer(input, pixels.data(), pixels.size()) == kTfLiteOk, "take the image");
      check(TfLiteInterpreterInvoke(interpreter.get()) == kTfLiteOk, "run the model");
      const TfLiteTensor* output = TfLiteInterpreterGetOutputTensor(interpreter.get(), 0);
      std::vector<float> logits(TfLiteTensorByteSize(output) / sizeof(float));
      check(TfLiteTensorCopyToBuffer(output, logits.data(), TfLiteTensorByteSize(output)) == kTfLiteOk, "answer");
      return logits;
    };
  });
}
