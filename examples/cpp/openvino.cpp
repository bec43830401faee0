// Names what is in images, with OpenVINO: classify_openvino MODEL.xml IMAGE.ppm...
#include <openvino/openvino.hpp>

#include "classify.hpp"

int main(int count, char** words) {
  return classify(count, words, [](const std::string& path) -> Run {
    ov::Core core;
    auto compiled = core.compile_model(path, "CPU", ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY));
    auto request = compiled.create_infer_request();
    return [request](Pixels& pixels) mutable {
      request.set_input_tensor(ov::Tensor(ov::element::u8, {1, kHeight, kWidth, 3}, pixels.data()));
      request.infer();
      const ov::Tensor logits = request.get_output_tensor();
      return std::vector<float>(logits.data<const float>(), logits.data<const float>() + logits.get_size());
    };
  });
}
