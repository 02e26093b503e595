"""What a user can choose: the stages, their options, the recipe, the budget."""
