"""Architecture search on a table of trainings: how good what an algorithm finds is, after how many of them."""
