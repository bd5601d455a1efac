text = open("/root/output.txt").read().strip().splitlines()[-1]
plain = "".join(chr((ord(c) - 65 - i) % 26 + 65) if c.isalpha() else c for i, c in enumerate(text))
print("HTB{" + plain + "}")
