from math import isqrt

given = dict(line.split(" = ") for line in open("/root/output.txt").read().splitlines())
n, e, c = (int(given[name]) for name in "nec")
middle = isqrt(n)
while middle**2 < n or isqrt(middle**2 - n) ** 2 != middle**2 - n:
    middle += 1
half = isqrt(middle**2 - n)
p, q = middle + half, middle - half
message = pow(c, pow(e, -1, (p - 1) * (q - 1)), n)
print(message.to_bytes((message.bit_length() + 7) // 8, "big").decode())
