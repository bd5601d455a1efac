from math import gcd

given = eval(open('/root/ciphertext.txt').read().split('=')[1])

def candidates(values):
    """Yield modulus, multiplier and increment of a generator that gave these values."""
    steps = [b - a for a, b in zip(values, values[1:])]
    multiple = 0
    for a, b, c in zip(steps, steps[1:], steps[2:]):
        multiple = gcd(multiple, a * c - b * b)
    for small in range(1, 5000):
        modulus, rest = divmod(multiple, small)
        if rest or modulus <= max(values):
            continue
        shared = gcd(steps[0], modulus)
        if steps[1] % shared or shared > 5000:
            continue
        part = modulus // shared
        base = steps[1] // shared * pow(steps[0] // shared, -1, part) % part
        for turn in range(shared):
            multiplier = base + turn * part
            yield modulus, multiplier, (values[1] - values[0] * multiplier) % modulus

def decode(modulus, multiplier, increment, value):
    """Follow the generator of the ones; it seeds its own successor after each character."""
    text = ''
    for start in range(0, len(given), 7):
        if start:
            new = []
            for _ in range(4):
                value = (value * multiplier + increment) % modulus
                new.append(value)
            modulus, multiplier, increment, value = new
        bits = ''
        for seen in given[start:start + 7]:
            following = (value * multiplier + increment) % modulus if modulus else None
            bits += '1' if seen == following else '0'
            if seen == following:
                value = seen
        text += chr(int(bits, 2))
    return text

ones = [value for value, bit in zip(given, '1100111') if bit == '1']  # it begins with a g
for modulus, multiplier, increment in candidates(ones):
    before = (ones[0] - increment) * pow(multiplier, -1, modulus) % modulus if gcd(multiplier, modulus) == 1 else None
    if before is not None and (text := decode(modulus, multiplier, increment, before)).startswith('gctf{'):
        print(text)
        break
