"""The demo company 示例商贸有限公司: 5,000 customers, 40,000 orders over 18 months, and what is wrong with them.

Everything follows from a seed. `write_initial` writes the first load into a folder, `write_increment` what
happens afterwards; `manifest` lists the defects that were planted and must be found. With `clean=True` nothing
is planted and nothing must be found. All names, companies and numbers are invented.

| module | what it makes |
|---|---|
| calendar | the clock, the seasons, the opening hours |
| people | customers, and how each system knows them |
| goods | product library, ERP and shop codes, crosswalk |
| trade | orders, lines, refunds |
| service | tickets, ratings |
| defects | the planted defects and their findings |
| folder | SQLite databases, CSV and NDJSON files, the folder's clock |
"""

from connectors.sandbox.company.books import Finding
from connectors.sandbox.company.build import build, manifest
from connectors.sandbox.company.calendar import FIRST_PULL, INCREMENTS, PULLS
from connectors.sandbox.company.folder import read_clock, write_increment, write_initial

DEFAULT_SEED = 1

__all__ = [
    "DEFAULT_SEED",
    "FIRST_PULL",
    "INCREMENTS",
    "PULLS",
    "Finding",
    "build",
    "manifest",
    "read_clock",
    "write_increment",
    "write_initial",
]
