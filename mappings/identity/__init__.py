"""Finds out which source records are one customer, says why, and can undo it: pure functions on frames.

| module | responsibility |
|---|---|
| normalise, phone, names, masks | raw value -> comparable value, class, reason, mask |
| digest | keyed digest and encrypted value of an identifier |
| rules | which kinds join whom, in which order, up to which cap |
| solve (components, exact) | all records -> customers, refused unions, conflicts |
| incremental (graph) | changed records -> the same answer for the components they touch |
| propose | weak keys -> chances for a person to look at |
| explain | why two records are, or are not, one customer |
| golden | the one profile of a customer, field by field, with provenance |
"""
