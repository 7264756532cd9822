# Writes a workbook with merged cells, dates, formulas and several sheets, and to standard output the texts that a
# reader of it sees.
import datetime
import sys

from openpyxl import Workbook
from openpyxl.styles import Font

book = Workbook()
plan = book.active
plan.title = "Plan 2024"
rows = [
    ["Budget of the drama group", None, None, None],
    ["Item", "Account", "Planned", "Paid on"],
    ["Costumes", "4110", 850, datetime.date(2024, 2, 14)],
    ["Rent of the hall", "4200", 1200.5, datetime.date(2024, 3, 1)],
    ["Posters and programmes", "4310", 240, None],
    ["Royalties", "4400", 675, datetime.date(2024, 5, 31)],
    ["Total", None, "=SUM(C3:C6)", None],
]
for row in rows:
    plan.append(row)
plan.merge_cells("A1:D1")
plan["A1"].font = Font(bold=True, size=14)
for row in plan.iter_rows(min_row=3, max_row=6, min_col=4, max_col=4):
    row[0].number_format = "yyyy-mm-dd"
people = book.create_sheet("People")
cast = [
    ["Role", "Played by", "Understudy"],
    ["The Miller", "Johanna Brandt", "Piet Okafor"],
    ["The Miller’s daughter", "Aylin Şahin", "none"],
    ["A ferryman", "Grzegorz Wójcik", "Johanna Brandt"],
]
for row in cast:
    people.append(row)
hidden = book.create_sheet("Notes")
hidden.append(["Keep the fog machine away from the fire detectors."])
book.save(sys.argv[1])
for row in rows + cast + [["Keep the fog machine away from the fire detectors."]]:
    print(" ".join("" if v is None or str(v).startswith("=") else str(v) for v in row).strip())
