import base64
import codecs

text = codecs.decode(base64.b64decode(open("/root/note.txt").read()).decode(), "rot13")
print(text[text.index("pref{") : text.index("}") + 1])
