#include <iostream>
#include <stdexcept>
#include <thread>

double area(double radius);

int main() {
  double found = 0;
  std::thread([&] { found = area(2); }).join();
  try {
    throw std::runtime_error("caught");
  } catch (const std::exception &error) {
    std::cout << found << ' ' << error.what() << '\n';
  }
}
