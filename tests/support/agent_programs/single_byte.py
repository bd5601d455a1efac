import re

data = bytes.fromhex(open("/root/message.hex").read())
for key in range(256):
    if found := re.search(rb"pref\{\w+\}", bytes(byte ^ key for byte in data)):
        print(found.group().decode())
