// Computes buckets as any client may: murmur3 (x86, 32 bit, seed 0) of `flag:userId`, modulo 10,000.
// In: JSON lines {flag, userId}. Out: JSON lines {flag, userId, bucket}.
import readline from 'node:readline'

export function murmur3 (text, seed = 0) {
  const bytes = new TextEncoder().encode(text)
  const view = new DataView(bytes.buffer)
  const whole = bytes.length & ~3
  const mix = (k) => Math.imul(rotate(Math.imul(k, 0xcc9e2d51), 15), 0x1b873593)
  const rotate = (x, n) => (x << n) | (x >>> (32 - n))
  let hash = seed
  for (let i = 0; i < whole; i += 4) {
    hash = Math.imul(rotate(hash ^ mix(view.getUint32(i, true)), 13), 5) + 0xe6546b64
  }
  let rest = 0
  for (let i = bytes.length - 1; i >= whole; i--) rest = (rest << 8) | bytes[i]
  hash ^= mix(rest) ^ bytes.length
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { flag, userId } = JSON.parse(line)
  console.log(JSON.stringify({ flag, userId, bucket: murmur3(`${flag}:${userId}`) % 10_000 }))
}
