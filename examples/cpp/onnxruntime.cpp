// Names what is in images, with ONNX Runtime: classify_onnxruntime MODEL.onnx IMAGE.ppm...
#include <onnxruntime_cxx_api.h>

#include <memory>

#include "classify.hpp"

int main(int count, char** words) {
  return classify(count, words, [](const std::string& path) -> Run {
    auto env = std::make_shared<Ort::Env>(ORT_LOGGING_LEVEL_WARNING, "edgevit");
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(1);
    auto session = std::make_shared<Ort::Session>(*env, path.c_str(), options);
    return [env, session](Pixels& pixels) {
      const std::array<std::int64_t, 4> shape{1, kHeight, kWidth, 3};
      const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
      const auto input =
          Ort::Value::CreateTensor<std::uint8_t>(memory, pixels.data(), pixels.size(), shape.data(), shape.size());
      const char* given[] = {"input"};
      const char* wanted[] = {"logits"};
      auto outputs = session->Run(Ort::RunOptions{nullptr}, given, &input, 1, wanted, 1);
      const float* logits = outputs[0].GetTensorData<float>();
      return std::vector<float>(logits, logits + outputs[0].GetTensorTypeAndShapeInfo().GetElementCount());
    };
  });
}
