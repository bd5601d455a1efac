given = dict(line.split(" = ") for line in open("/root/output.txt").read().splitlines())
n, e, c = (int(given[name]) for name in "nec")
message = pow(c, pow(e, -1, n - 1), n)
print(message.to_bytes((message.bit_length() + 7) // 8, "big").decode())
