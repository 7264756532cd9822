# Writes a long sheet whose head is repeated on each printed page, and to standard output the texts in it.
import sys

from openpyxl import Workbook
from openpyxl.styles import Font

book = Workbook()
sheet = book.active
sheet.title = "Ledger"
rows = [["Number", "Customer", "Town", "Amount", "State"]]
names = ["Aalto", "Berger", "Castro", "Dubois", "Eriksen", "Ferrari", "Grant"]
towns = ["Aarhus", "Bergen", "Coimbra", "Dundee", "Essen"]
for i in range(120):
    rows.append([f"R-{1000 + i}", f"{names[i % 7]} and Sons {i % 9 + 1}", towns[i % 5], f"{(i * 37) % 900 + 15}.50", ["paid", "open", "reminded"][i % 3]])
for row in rows:
    sheet.append(row)
for cell in sheet[1]:
    cell.font = Font(bold=True)
for column, width in zip("ABCDE", [12, 26, 16, 12, 14]):
    sheet.column_dimensions[column].width = width
sheet.print_title_rows = "1:1"
book.save(sys.argv[1])
for row in rows:
    print(" ".join(row))
