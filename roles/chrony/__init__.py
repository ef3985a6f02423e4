"""The node's clock: chrony with the site's sources, synchronised, and close enough.

chrony.conf is ours as a whole rather than a file in conf.d: the distribution's own file names public pools, and a
node that follows two families of servers has no clock one can reason about. ``/etc/chrony/conf.d`` is still read,
for what is particular to a machine (a reference clock, ``hwtimestamp``).
"""
