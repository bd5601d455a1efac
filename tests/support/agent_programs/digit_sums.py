print(sum(number % 7 == 0 and sum(map(int, str(number))) % 11 == 0 for number in range(1, 100_001)))
