"""``run --processes N``: a parent that starts, watches, replaces and stops its children.

It knows processes, never messages.

* parent's side: ``life`` the whole, ``place`` one child after the other, ``child`` one process,
  ``channel`` what it is asked, ``patience`` and ``backoff`` when it is replaced,
  ``handover`` what it is given, ``answers`` what the endpoint says for all;
* child's side: ``link``.
"""
