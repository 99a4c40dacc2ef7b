"""The parts of scripts/report: a run's file becomes one page and its figures.

  run.py          what a run holds; run_file.py reads it
  architecture.py     its network, block by block
  words.py        how numbers are said to a person
  style.py        colours and fonts, one home for figures and page
  figures.py      the table of figures: a new one is a line there
  network_figure.py, curves.py, specialisation.py, combinations.py, timing.py, cost.py, spread.py    what the figures
                  draw; axes.py: ticks and labels that they share
  drawing.py      panels into SVG for the page, and into SVG, PDF, PNG files
  summary.py      a run in words and numbers
  tables.py       tables of one run; comparison.py: of several, over seeds
  page.py, page.css    the HTML around it all
  command_line.py
"""
