# Writes a letter with a table whose cells are merged, a header and a footer.
import sys

from docx import Document

letter = Document()
letter.core_properties.title = "Offer for the garden wall"
letter.sections[0].header.paragraphs[0].text = "Hollis & Daughter, Stonemasons"
letter.sections[0].footer.paragraphs[0].text = "Registered in Truro"
letter.add_heading("Offer for the garden wall", level=1)
letter.add_paragraph("Dear Mr Penrose, thank you for showing us the old wall. We would take it down by hand, keep the stones that are sound, and build it anew on a foundation of lime concrete.")
letter.add_paragraph("The work takes nine days, weather permitting. We do not work in frost, because the mortar would not set.")
table = letter.add_table(rows=4, cols=3)
table.style = "Table Grid"
for i, row in enumerate([["Work", "Days", "Price"], ["Taking down", "2", "£640"], ["Foundation", "3", "£1,150"], ["Building", "4", "£1,980"]]):
    for j, text in enumerate(row):
        table.cell(i, j).text = text
total = table.add_row()
joined = total.cells[0].merge(total.cells[1])
joined.text = "Together, without tax"
total.cells[2].text = "£3,770"
letter.add_heading("What is not included", level=2)
for item in ["removing roots thicker than a hand", "water and electricity", "a permit, if the council asks for one"]:
    letter.add_paragraph(item, style="List Bullet")
letter.add_paragraph("The offer holds until the end of June.")
letter.save(sys.argv[1])
