import hashlib

given = dict(line.split(' = ') for line in open('/root/output.txt').read().splitlines())
n, p_known, q_known = int(given['n']), given['p'], given['q']
length = len(p_known) + len(q_known)

def factors(p, q, power):
    """Find the primes' digits from the last to the first; at each place one of them is known."""
    if power == length:
        return (p, q) if p * q == n else None
    place, unit = length - 1 - power, 10 ** power
    ps = [p_known[place // 2]] if place % 2 == 0 else '0123456789'
    qs = [q_known[place // 2]] if place % 2 == 1 else '0123456789'
    for a in ps:
        for b in qs:
            p_next, q_next = p + int(a) * unit, q + int(b) * unit
            if (p_next * q_next - n) % (10 * unit) == 0 and (found := factors(p_next, q_next, power + 1)):
                return found
    return None

def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))

def masked(seed, size):
    blocks = (hashlib.sha1(seed + counter.to_bytes(4, 'big')).digest() for counter in range(size // 20 + 1))
    return b''.join(blocks)[:size]

p, q = factors(0, 0, 0)
size = (n.bit_length() + 7) // 8
message = pow(int(given['ct'], 16), pow(65537, -1, (p - 1) * (q - 1)), n).to_bytes(size, 'big')

seed = xor(message[1:21], masked(message[21:], 20))
block = xor(message[21:], masked(seed, size - 21))
print(block[20:].lstrip(b'\0')[1:].decode())
