#include "sha256.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "refusal.hpp"

namespace mlpack_server {
namespace {

constexpr std::uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

using State = std::array<std::uint32_t, 8>;

constexpr std::uint32_t turned(std::uint32_t value, int by) { return (value >> by) | (value << (32 - by)); }

void add_block(State& state, const unsigned char* block) {
    std::uint32_t words[64];
    for (int i = 0; i != 16; ++i) {
        const unsigned char* at = block + 4 * i;
        words[i] = std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 | at[3];
    }
    for (int i = 16; i != 64; ++i) {
        const std::uint32_t a = words[i - 15];
        const std::uint32_t b = words[i - 2];
        words[i] = words[i - 16] + (turned(a, 7) ^ turned(a, 18) ^ (a >> 3)) + words[i - 7] + (turned(b, 17) ^ turned(b, 19) ^ (b >> 10));
    }
    State s = state;
    for (int i = 0; i != 64; ++i) {
        const std::uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        const std::uint32_t first = s[7] + (turned(s[4], 6) ^ turned(s[4], 11) ^ turned(s[4], 25)) + choice + round_constants[i] + words[i];
        const std::uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        const std::uint32_t second = (turned(s[0], 2) ^ turned(s[0], 13) ^ turned(s[0], 22)) + majority;
        s = {first + second, s[0], s[1], s[2], s[3] + first, s[4], s[5], s[6]};
    }
    for (std::size_t i = 0; i != state.size(); ++i) state[i] += s[i];
}

}  // namespace

namespace {

constexpr State initial = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

// The bytes taken: whole blocks only.
std::size_t add_blocks(State& state, const unsigned char* bytes, std::size_t size) {
    std::size_t done = 0;
    for (; done + 64 <= size; done += 64) add_block(state, bytes + done);
    return done;
}

// The digest once the rest, less than a block, is there too; `size`: of all.
std::string finished(State state, const unsigned char* bytes, std::size_t rest, std::uint64_t size) {
    unsigned char last[128] = {};
    if (rest != 0) std::memcpy(last, bytes, rest);
    last[rest] = 0x80;
    const std::size_t whole = rest < 56 ? 64 : 128;
    for (std::size_t i = 0; i != 8; ++i) last[whole - 1 - i] = static_cast<unsigned char>(size * 8 >> (8 * i));
    for (std::size_t at = 0; at != whole; at += 64) add_block(state, last + at);
    std::string text;
    for (const std::uint32_t word : state) {
        for (int shift = 28; shift >= 0; shift -= 4) text += "0123456789abcdef"[word >> shift & 15u];
    }
    return text;
}

}  // namespace

std::string sha256(const unsigned char* bytes, std::size_t size) {
    State state = initial;
    const std::size_t done = add_blocks(state, bytes, size);
    return finished(state, bytes + done, size - done, size);
}

std::string sha256_of_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw Damaged(path + " cannot be read");
    State state = initial;
    std::vector<char> block(1 << 20);
    std::uint64_t size = 0;
    while (true) {
        file.read(block.data(), static_cast<std::streamsize>(block.size()));
        const auto count = static_cast<std::size_t>(file.gcount());
        const auto* bytes = reinterpret_cast<const unsigned char*>(block.data());
        size += count;
        const std::size_t done = add_blocks(state, bytes, count);
        if (done != count || count == 0) return finished(state, bytes + done, count - done, size);
    }
}

}  // namespace mlpack_server
