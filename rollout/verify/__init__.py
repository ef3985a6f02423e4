"""An independent look at a plan: reads its JSON and the rules' data, shares no code with what made the plan.

Standard library only; import-linter holds it to that. A mistake in the planner's own idea of a state, of a rule or
of an order has to be made twice, in two ways of writing it down, before it goes unseen.
"""
