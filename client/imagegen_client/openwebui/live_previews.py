"""
title: imagegen: live previews
"""


class Filter:
    pass
