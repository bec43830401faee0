// What the programs share: reading an image, and printing the classes that it most probably is of.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "model.hpp"  // made by constants.py

using Pixels = std::vector<std::uint8_t>;  // RGB, [height, width, 3]
using Run = std::function<std::vector<float>(Pixels&)>;  // from the pixels of an image to logits

struct Image {
  int width, height;
  Pixels pixels;
};

// Reads a binary PPM of 8 bits, without comments.
inline Image read_ppm(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string magic;
  Image image{};
  int largest = 0;
  file >> magic >> image.width >> image.height >> largest;
  if (!file || magic != "P6" || largest != 255) throw std::runtime_error(path + " is no PPM (P6) of 8 bits");
  file.get();
  image.pixels.resize(std::size_t(3) * image.width * image.height);
  file.read(reinterpret_cast<char*>(image.pixels.data()), std::streamsize(image.pixels.size()));
  if (!file) throw std::runtime_error(path + " is cut off");
  return image;
}

// Cuts out the centre, and resizes it to what the model takes; each pixel is the mean of the area that it covers.
inline Pixels fit(const Image& image) {
  const double scale = kCrop * std::min(image.height / double(kHeight), image.width / double(kWidth));
  const double top = (image.height - scale * kHeight) / 2, left = (image.width - scale * kWidth) / 2;
  const auto edges = [scale](double begin, int place, int length) {
    const int from = std::clamp(int(begin + place * scale + 1e-6), 0, length - 1);
    return std::pair(from, std::clamp(int(begin + (place + 1) * scale + 1e-6), from + 1, length));
  };
  Pixels found(std::size_t(3) * kHeight * kWidth);
  for (int row = 0; row < kHeight; ++row) {
    const auto [y0, y1] = edges(top, row, image.height);
    for (int column = 0; column < kWidth; ++column) {
      const auto [x0, x1] = edges(left, column, image.width);
      for (int channel = 0; channel < 3; ++channel) {
        int sum = 0;
        for (int y = y0; y < y1; ++y)
          for (int x = x0; x < x1; ++x) sum += image.pixels[3 * (std::size_t(y) * image.width + x) + channel];
        const int count = (y1 - y0) * (x1 - x0);
        found[3 * (std::size_t(row) * kWidth + column) + channel] = std::uint8_t((sum + count / 2) / count);
      }
    }
  }
  return found;
}

inline void print_top5(const std::vector<float>& logits) {
  std::vector<double> odds(logits.size());
  const float largest = *std::max_element(logits.begin(), logits.end());
  std::transform(logits.begin(), logits.end(), odds.begin(), [&](float x) { return std::exp(double(x) - largest); });
  const double sum = std::accumulate(odds.begin(), odds.end(), 0.0);
  std::vector<std::size_t> order(odds.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return odds[a] > odds[b]; });
  order.resize(std::min<std::size_t>(5, order.size()));
  for (const auto index : order) std::printf("%7.2f%%  %s\n", 100 * odds[index] / sum, kClasses.at(index));
}

// The main program: a runtime's own part is what loads a model.
inline int classify(int count, char** words, const std::function<Run(const std::string&)>& load) try {
  if (count < 3) throw std::runtime_error(std::string("usage: ") + words[0] + " MODEL IMAGE.ppm...");
  const Run run = load(words[1]);
  for (int place = 2; place < count; ++place) {
    Pixels pixels = fit(read_ppm(words[place]));
    std::printf("%s\n", words[place]);
    print_top5(run(pixels));
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
