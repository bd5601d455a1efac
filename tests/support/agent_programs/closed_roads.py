import csv
import heapq

roads = {}
for one, other, length, closed in list(csv.reader(open("/shared_files/closed-roads.csv")))[1:]:
    if closed == "no":
        roads.setdefault(one, []).append((int(length), other))
        roads.setdefault(other, []).append((int(length), one))
ahead, seen = [(0, "T01")], set()
while ahead:
    way, town = heapq.heappop(ahead)
    if town == "T30":
        print(way)
        break
    if town not in seen:
        seen.add(town)
        for length, other in roads.get(town, []):
            heapq.heappush(ahead, (way + length, other))
