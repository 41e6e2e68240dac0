"""Re-rating: what recorded events cost by what is known now, booked as differences."""
