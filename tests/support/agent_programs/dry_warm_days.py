rows = [line.split("\t") for line in open("/shared_files/dry-warm-days.tsv").read().splitlines()[1:]]
print(sum(float(high) > 25 and float(rain) == 0 for _, high, rain in rows))
