module rackroll.invalid/tools/metallb-0.15

go 1.25

require go.universe.tf/metallb v0.15.3
