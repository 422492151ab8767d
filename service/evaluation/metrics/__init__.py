"""Metrics: pure functions of arrays, one file a family.

Losses are values of single rows. A statistic sums rows up, and says so for many resamples at once:
libraries have most of these, but a call for each of a thousand resamples takes minutes.
"""
