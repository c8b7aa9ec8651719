#include "words.h"

#include <cmath>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>

int count_words(const char *text) {
    std::istringstream in(text);
    std::map<std::string, int> seen;
    for (std::string word; in >> word;) seen[word]++;
    return static_cast<int>(std::floor(std::sqrt(seen.size() * seen.size() + 0.5)));
}

const char *caught(void) {
    static std::string said;
    try {
        throw std::runtime_error("thrown and caught");
    } catch (const std::exception &error) {
        said = error.what();
    }
    return said.c_str();
}
